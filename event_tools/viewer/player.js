const root = document.currentScript.parentElement;
const { look, recordings: stored } = JSON.parse(root.querySelector("script[type='application/json']").textContent);

if (!window.eventPlayers) {
  window.eventPlayers = [];
  document.addEventListener("keydown", (event) => (eventPlayers.active || eventPlayers[0]).key(event));
}

function clockText(us, end) {
  return end < 10e6 ? (us / 1000).toFixed(1) : (us / 1e6).toFixed(2);
}

const player = {
  name: root.ariaLabel, root, recordings: [], end: 1, now: 0, shown: 0, playing: false, visible: true,

  // Time in us; shown: how many events of all recordings are in the window.
  seek(time, everywhere = true) {
    this.now = Math.min(this.end, Math.max(0, time));
    this.shown = 0;
    const window = this.window.value * 1000, place = this.now / this.end * 100;
    const back = Math.max(0, place - window / this.end * 100);
    for (const recording of this.recordings) {
      recording.stale = !everywhere && !recording.visible;
      if (recording.stale) continue;
      this.shown += draw(recording, this.now, window, this.shades);
      recording.head.style.transform = `translateX(${place}%)`;
      recording.span.style.transform = `translateX(${back}%) scaleX(${(place - back) / 100})`;
    }
    this.slider.value = this.now / this.end * 1000;
    this.clock.textContent = clockText(this.now, this.end) + " / " + clockText(this.end, this.end) + (this.end < 10e6 ? " ms" : " s");
    this.slider.ariaValueText = this.clock.textContent;
  },
  play() { this.show(true); },
  pause() { this.show(false); },
  toggle() { this.show(!this.playing); },
  show(playing) {
    this.playing = playing;
    this.button.textContent = playing ? "❚❚ pause" : "▶ play";
    this.button.ariaLabel = playing ? "pause" : "play";
  },
  recolour() {
    const colours = look.palettes[this.palette.value][this.ground.value];
    this.shades = shadesOf(colours, look);
    for (const [name, colour] of Object.entries(colours)) root.style.setProperty("--" + name, colour);
    root.style.colorScheme = this.ground.value;
    if (document.body.dataset.playerAlone !== undefined) {
      document.documentElement.style.background = colours.page;
      document.documentElement.style.colorScheme = this.ground.value;
    }
    for (const recording of this.recordings) drawStrip(recording, this.peak, colours);
    this.seek(this.now);
  },
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
      c: () => step(this.palette, 1, true),
      l: () => step(this.ground, 1, true),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  },
};
window.eventPlayers.push(player);
for (const kind of ["pointerenter", "pointerdown", "focusin"]) root.addEventListener(kind, () => { eventPlayers.active = player; });

// A play of about three seconds, not faster than life, with an event in sight for a fifth of it or 50 ms.
function settle() {
  const ms = player.end / 1000;
  player.speed.value = SPEEDS.filter((speed) => speed <= Math.min(1, ms / 2000)).pop() || SPEEDS[0];
  player.window.value = WINDOWS_MS.filter((window) => window <= Math.min(50, ms / 5)).pop() || WINDOWS_MS[0];
}

function countAll() {
  const all = player.recordings;
  for (const recording of all) recording.bins = countRates(recording, player.end, COLUMNS);
  player.peak = all.reduce((most, { bins }) => Math.max(most, ...bins[0], ...bins[1]), 1);
  const height = (bins, i) => Math.sqrt(bins[0][i]) + Math.sqrt(bins[1][i]);
  const together = Array.from({ length: COLUMNS }, (_, i) => all.reduce((sum, { bins }) => sum + height(bins, i), 0));
  player.busiest = (together.indexOf(Math.max(...together)) + 1) / COLUMNS * player.end;
}

function watch(grid) {
  const figures = new Map(player.recordings.map((recording) => [recording.view, recording]));
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) figures.get(target).visible = isIntersecting;
    player.visible = player.recordings.some((recording) => recording.visible);
    if (player.recordings.some((recording) => recording.visible && recording.stale)) player.seek(player.now);
  });
  for (const recording of player.recordings) {
    recording.visible = true;
    seen.observe(recording.view);
  }
  new ResizeObserver(() => arrange(player, grid)).observe(root);
  addEventListener("beforeprint", () => player.seek(player.now));
}

function run() {
  let last = performance.now();
  requestAnimationFrame(function tick(now) {
    if (player.playing && player.visible) {
      const next = player.now + (now - last) * 1000 * player.speed.value;
      player.seek(next > player.end ? 0 : next, false);
    }
    last = now;
    requestAnimationFrame(tick);
  });
}

player.ready = (async () => {
  controls(player, look);
  player.pause();
  const grid = make("div", root, { className: "grid" });
  keyList(player);
  const total = stored.reduce((sum, { n }) => sum + n, 0);
  let done = 0;
  const told = (n) => { done += n; player.clock.textContent = `${Math.round(done / total * 100)} % unpacked`; };
  player.recordings = await Promise.all(stored.map((item) => unpack(item, told)));
  stored.length = 0;
  for (const { t, n } of player.recordings) if (n) player.end = Math.max(player.end, t[n - 1]);
  for (const recording of player.recordings) figure(player, grid, recording);
  settle();
  countAll();
  arrange(player, grid);
  player.now = player.busiest;  // where there is something to see, also on paper and where motion is not wanted
  player.recolour();
  watch(grid);
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) player.play();
  run();
  return player;
})();
