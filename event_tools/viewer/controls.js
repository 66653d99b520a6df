// What a person sees and touches: the bar of controls, and a figure for every recording.

const SPEEDS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
const WINDOWS_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, Infinity];
const STRIP = { width: 600, height: 80 }, COLUMNS = 200;
const KEYS = [["space", "play, pause"], ["← →", "1 ms"], ["shift ← →", "10 ms"], ["home end", "begin, end"],
  ["+ −", "speed"], ["[ ]", "window"], ["c", "colours"], ["l", "light, dark"]];

function make(tag, parent, properties = {}) {
  const element = Object.assign(document.createElement(tag), properties);
  parent.append(element);
  return element;
}

function choice(parent, label, keys, options, changed) {
  const select = make("select", make("label", parent, { textContent: label + " ", title: keys }));
  for (const [value, textContent] of options) make("option", select, { value, textContent });
  select.onchange = changed;
  return select;
}

function step(select, by, around = false) {
  const next = select.selectedIndex + by, last = select.length - 1;
  select.selectedIndex = around ? (next + select.length) % select.length : Math.min(last, Math.max(0, next));
  select.onchange();
}

function controls(player, look) {
  const head = make("div", player.root, { className: "title" });
  if (document.body.dataset.playerAlone !== undefined) make("h1", head, { textContent: player.name });
  const legend = make("p", head, { className: "legend" });
  make("span", legend, { className: "on", textContent: "ON" });
  make("span", legend, { className: "off", textContent: "OFF" });
  const bar = make("div", player.root, { className: "bar" });
  player.button = make("button", bar, { type: "button", className: "play", title: "space bar", onclick: () => player.toggle() });
  player.slider = make("input", bar, { type: "range", min: 0, max: 1000, step: "any", ariaLabel: "time", title: "keys ← →, with shift 10 ms" });
  player.slider.oninput = () => { player.pause(); player.seek(player.slider.value / 1000 * player.end); };
  player.clock = make("output", bar, { ariaLive: "off" });
  const choices = make("div", bar, { className: "choices" });
  player.speed = choice(choices, "speed", "keys + −", SPEEDS.map((value) => [value, value + "×"]), () => {});
  player.window = choice(choices, "window", "keys [ ]", WINDOWS_MS.map((ms) => [ms, ms === Infinity ? "all" : ms < 1000 ? ms + " ms" : "1 s"]), () => player.seek(player.now));
  const named = Object.keys(look.palettes).map((name) => [name, name.replace("-", ", ")]);
  player.palette = choice(choices, "colours", "key c", named, () => player.recolour());
  player.ground = choice(choices, "ground", "key l", [["dark", "dark"], ["light", "light"]], () => player.recolour());
  player.palette.value = look.palette;
  player.ground.value = look.ground;
}

function keyList(player) {
  const keys = make("p", player.root, { className: "keys" });
  for (const [key, meaning] of KEYS) {
    const pair = make("span", keys);
    for (const one of key.split(" ")) make("kbd", pair, { textContent: one });
    pair.append(meaning);
  }
  make("span", keys, { textContent: "drag a rate strip to scrub" });
}

function figure(player, grid, recording) {
  const box = make("figure", grid);
  recording.view = make("canvas", box, { className: "view", width: recording.w, height: recording.h, role: "img", ariaLabel: recording.title });
  recording.context = recording.view.getContext("2d");
  recording.image = recording.context.createImageData(recording.w, recording.h);
  recording.pixels = new Uint32Array(recording.image.data.buffer);
  const strip = make("div", box, { className: "strip", ariaHidden: "true", title: "events over time, as the root of their rate; drag to scrub" });
  recording.strip = make("canvas", strip, STRIP);
  recording.span = make("div", strip, { className: "span" });
  recording.head = make("div", strip, { className: "head" });
  const scrub = (event) => {
    const place = strip.getBoundingClientRect();
    player.pause();
    player.seek((event.clientX - place.left) / place.width * player.end);
  };
  strip.onpointerdown = (event) => { strip.setPointerCapture(event.pointerId); scrub(event); };
  strip.onpointermove = (event) => { if (event.buttons & 1) scrub(event); };
  const caption = make("figcaption", box);
  make("b", caption, { textContent: recording.title, title: recording.title });
  make("span", caption, { textContent: recording.n.toLocaleString("en") + (recording.n === 1 ? " event" : " events") });
}

// Columns as wide as suits their number. A sensor's pixel covers whole pixels of the screen, unless that wastes much
// room and there are enough of them for a pixel more or less not to be seen.
function arrange(player, grid) {
  const room = grid.clientWidth, gap = 14, count = player.recordings.length;
  if (!room) return;
  const widest = Math.max(...player.recordings.map(({ w }) => w)), tallest = Math.max(...player.recordings.map(({ w, h }) => h / w));
  const wanted = count === 1 ? 640 : count < 4 ? 400 : count < 13 ? 270 : 160;
  const columns = Math.min(count, Math.max(room < 380 ? 1 : 2, Math.round((room + gap) / (wanted + gap))));
  const most = Math.min((room - gap * (columns - 1)) / columns, count === 1 ? Math.min(960, innerHeight * 0.72 / tallest) : Infinity);
  const scale = devicePixelRatio, whole = Math.floor(most * scale / widest) * widest / scale;
  const tile = whole > (most < 4 * widest / scale ? 0.7 : 0.9) * most ? whole : most;
  grid.style.setProperty("--columns", columns);
  grid.style.setProperty("--tile", tile + "px");
  for (const { view, w } of player.recordings) view.classList.toggle("shrunk", view.clientWidth * scale < w);
}
