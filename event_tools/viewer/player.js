
(() => {
  const ON = [76, 201, 240], OFF = [247, 37, 133], GROUND = [5, 7, 12];
  const STRIP = { width: 300, height: 36 };
  const SPEEDS = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 4], WINDOWS_MS = [1, 5, 10, 20, 50, 100, Infinity];
  const root = document.currentScript.parentElement;
  const stored = JSON.parse(root.querySelector("script[type='application/json']").textContent);

  if (!window.eventPlayers) {
    window.eventPlayers = [];
    document.addEventListener("keydown", (event) => (eventPlayers.active || eventPlayers[0]).key(event));
  }

  async function unpack(item) {
    const packed = Uint8Array.from(atob(item.data), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    const t = new Float64Array(item.n), address = new Uint32Array(item.n);
    let at = 0, now = 0;
    for (let k = 0; k < item.n; k++) {
      let scale = 1, byte;
      do { byte = bytes[at++]; now += (byte & 127) * scale; scale *= 128; } while (byte & 128);
      t[k] = now;
    }
    const words = new DataView(bytes.buffer, bytes.byteOffset + at);
    for (let k = 0; k < item.n; k++) address[k] = words.getUint32(4 * k, true);
    return { title: item.title, w: item.w, h: item.h, start: item.start, n: item.n, t, address };
  }

  function make(tag, parent, properties = {}) {
    const element = Object.assign(document.createElement(tag), properties);
    parent.append(element);
    return element;
  }

  function firstAtOrAfter(t, time) {
    let low = 0, high = t.length;
    while (low < high) { const middle = (low + high) >> 1; if (t[middle] < time) low = middle + 1; else high = middle; }
    return low;
  }

  function choice(parent, label, values, unit, chosen, changed) {
    const select = make("select", make("label", parent, { textContent: label + " " }));
    for (const value of values) make("option", select, { value, textContent: value === Infinity ? "all" : value + unit, selected: value === chosen });
    select.onchange = changed;
    return select;
  }

  function controls(player) {
    const bar = make("div", root, { className: "bar" });
    player.button = make("button", bar, { type: "button", onclick: () => player.toggle() });
    player.slider = make("input", bar, { type: "range", min: 0, max: 1000, step: "any", ariaLabel: "time" });
    player.slider.oninput = () => { player.pause(); player.seek(player.slider.value / 1000 * player.end); };
    player.clock = make("output", bar);
    player.speed = choice(bar, "speed", SPEEDS, "×", 0.2, () => {});
    player.window = choice(bar, "window", WINDOWS_MS, " ms", 50, () => player.seek(player.now));
    make("span", bar, { className: "on", textContent: "ON" });
    make("span", bar, { className: "off", textContent: "OFF" });
    make("span", bar, { className: "keys", textContent: "space: play, pause · ← →: 1 ms (shift: 10 ms) · home, end · + −: speed · [ ]: window · drag a rate strip to scrub" });
  }

  function figure(player, grid, recording) {
    const box = make("figure", grid);
    const view = make("canvas", box, { className: "view", width: recording.w, height: recording.h, role: "img", ariaLabel: recording.title });
    recording.context = view.getContext("2d");
    recording.image = recording.context.createImageData(recording.w, recording.h);
    const strip = make("div", box, { className: "strip" });
    recording.strip = make("canvas", strip, STRIP);
    recording.head = make("div", strip, { className: "head" });
    const scrub = (event) => {
      const place = strip.getBoundingClientRect();
      player.pause();
      player.seek((event.clientX - place.left) / place.width * player.end);
    };
    strip.onpointerdown = (event) => { strip.setPointerCapture(event.pointerId); scrub(event); };
    strip.onpointermove = (event) => { if (event.buttons & 1) scrub(event); };
    const caption = make("figcaption", box, { textContent: recording.title });
    make("span", caption, { textContent: recording.n.toLocaleString("en") + " events" });
  }

  function drawStrips(player) {
    const columns = STRIP.width / 2;
    for (const recording of player.recordings) {
      recording.bins = [new Float64Array(columns), new Float64Array(columns)];
      for (let k = 0; k < recording.n; k++) recording.bins[recording.address[k] & 1][Math.min(columns - 1, Math.floor(recording.t[k] / player.end * columns))]++;
    }
    const peak = player.recordings.reduce((most, r) => r.bins.reduce((m, bins) => bins.reduce((a, b) => Math.max(a, b), m), most), 1);
    const middle = STRIP.height / 2;
    const together = Array.from({ length: columns }, (_, i) => player.recordings.reduce((sum, { bins }) => sum + bins[0][i] + bins[1][i], 0));
    player.busiest = (together.indexOf(Math.max(...together)) + 1) / columns * player.end;
    for (const { strip, bins } of player.recordings) {
      const context = strip.getContext("2d");
      [OFF, ON].forEach((colour, p) => {
        context.fillStyle = `rgb(${colour})`;
        bins[p].forEach((count, i) => context.fillRect(2 * i, middle, 2, (p ? -1 : 1) * count / peak * middle));
      });
    }
  }

  function draw(recording, now, window) {
    const pixels = recording.image.data;
    for (let i = 0; i < pixels.length; i += 4) { pixels[i] = GROUND[0]; pixels[i + 1] = GROUND[1]; pixels[i + 2] = GROUND[2]; pixels[i + 3] = 255; }
    const to = firstAtOrAfter(recording.t, now + 1);
    let shown = 0;
    for (let k = firstAtOrAfter(recording.t, now - window); k < to; k++, shown++) {
      const strength = 1 - 0.75 * (now - recording.t[k]) / window;
      const colour = recording.address[k] & 1 ? ON : OFF, at = (recording.address[k] >>> 1) * 4;
      for (let c = 0; c < 3; c++) pixels[at + c] = colour[c] * strength;
    }
    recording.context.putImageData(recording.image, 0, 0);
    return shown;
  }

  function step(select, by) {
    select.selectedIndex = Math.min(select.length - 1, Math.max(0, select.selectedIndex + by));
    select.onchange();
  }

  const player = {
    name: root.ariaLabel, root, recordings: [], end: 1, now: 0, playing: false, visible: true,
    seek(time) {
      this.now = Math.min(this.end, Math.max(0, time));
      this.shown = 0;
      for (const recording of this.recordings) {
        this.shown += draw(recording, this.now, this.window.value * 1000);
        recording.head.style.left = this.now / this.end * 100 + "%";
      }
      this.slider.value = this.now / this.end * 1000;
      this.clock.textContent = (this.now / 1000).toFixed(1) + " / " + (this.end / 1000).toFixed(1) + " ms";
    },
    play() { this.playing = true; this.button.textContent = "pause"; },
    pause() { this.playing = false; this.button.textContent = "play"; },
    toggle() { this.playing ? this.pause() : this.play(); },
    key(event) {
      const tag = event.target.tagName, ranged = event.target.type === "range";
      if (event.ctrlKey || event.metaKey || event.altKey || tag === "SELECT" || tag === "TEXTAREA" || (tag === "INPUT" && !ranged)) return;
      if (tag === "BUTTON" && (event.key === " " || event.key === "Enter")) return;
      const move = (time) => { this.pause(); this.seek(time); };
      const actions = {
        " ": () => this.toggle(),
        ArrowLeft: () => move(this.now - (event.shiftKey ? 10000 : 1000)),
        ArrowRight: () => move(this.now + (event.shiftKey ? 10000 : 1000)),
        Home: () => move(0),
        End: () => move(this.end),
        "+": () => step(this.speed, 1),
        "-": () => step(this.speed, -1),
        "]": () => step(this.window, 1),
        "[": () => step(this.window, -1),
      };
      if (!actions[event.key]) return;
      event.preventDefault();
      actions[event.key]();
    },
  };
  window.eventPlayers.push(player);
  for (const kind of ["pointerenter", "pointerdown", "focusin"]) root.addEventListener(kind, () => { eventPlayers.active = player; });

  player.ready = (async () => {
    controls(player);
    const grid = make("div", root, { className: stored.length < 5 ? "grid few" : "grid" });
    player.recordings = await Promise.all(stored.map(unpack));
    for (const { t, n } of player.recordings) if (n) player.end = Math.max(player.end, t[n - 1]);
    for (const recording of player.recordings) figure(player, grid, recording);
    drawStrips(player);
    player.seek(player.busiest);  // where there is something to see, also on paper and where motion is not wanted
    matchMedia("(prefers-reduced-motion: reduce)").matches ? player.pause() : player.play();
    new IntersectionObserver((seen) => { player.visible = seen[seen.length - 1].isIntersecting; }).observe(root);
    let last = performance.now();
    requestAnimationFrame(function tick(now) {
      if (player.playing && player.visible) {
        const next = player.now + (now - last) * 1000 * player.speed.value;
        player.seek(next > player.end ? 0 : next);
      }
      last = now;
      requestAnimationFrame(tick);
    });
    return player;
  })();
})();
