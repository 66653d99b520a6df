// Events on a canvas: those with now - window < t <= now, the latest of a pixel on top, older ones nearer the ground.

// The place of the first event after a time.
function firstAfter(t, time) {
  let low = 0, high = t.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (t[middle] <= time) low = middle + 1; else high = middle;
  }
  return low;
}

const parts = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
const word = ([red, green, blue]) => (255 << 24 | blue << 16 | green << 8 | red) >>> 0;

// Words as ImageData holds them: the ground, and a [OFF, ON] pair for every shade from the oldest to the newest.
function shadesOf(colours, look) {
  const ground = parts(colours.ground);
  const mixed = (colour, share) => word(parts(colour).map((c, i) => Math.round(ground[i] + share * (c - ground[i]))));
  const shares = Array.from({ length: look.shades }, (_, i) => look.faintest + (1 - look.faintest) * i / (look.shades - 1));
  return { ground: word(ground), pairs: shares.map((share) => Uint32Array.of(mixed(colours.off, share), mixed(colours.on, share))) };
}

function paint(pixels, address, from, to, pair) {
  for (let k = from; k < to; k++) {
    const a = address[k];
    pixels[a >>> 1] = pair[a & 1];
  }
}

// An endless window forgets nothing and fades nothing: going forward only what is new is painted.
function draw(recording, now, window, shades) {
  const { t, address, pixels, context, image } = recording;
  const to = firstAfter(t, now), endless = window === Infinity;
  let from = endless ? 0 : firstAfter(t, now - window);
  const shown = to - from, last = recording.painted;
  if (endless && last && last.shades === shades && last.to <= to) {
    if (last.to === to) return shown;
    paint(pixels, address, last.to, to, shades.pairs[shades.pairs.length - 1]);
  } else {
    pixels.fill(shades.ground);
    if (endless) paint(pixels, address, 0, to, shades.pairs[shades.pairs.length - 1]);
    else if (shown) {
      const steps = shades.pairs.length;
      for (let i = 0; i < steps; i++) {
        const stop = i + 1 < steps ? Math.min(to, firstAfter(t, now - window + window * (i + 1) / steps)) : to;
        paint(pixels, address, from, stop, shades.pairs[i]);
        from = stop;
      }
    }
  }
  recording.painted = endless ? { to, shades } : null;
  context.putImageData(image, 0, 0);
  return shown;
}

// Events of each polarity in equal parts of the player's time, for the strip.
function countRates(recording, end, columns) {
  const bins = [new Float64Array(columns), new Float64Array(columns)], { t, address, n } = recording;
  const scale = columns / end;
  for (let k = 0; k < n; k++) bins[address[k] & 1][Math.min(columns - 1, Math.floor(t[k] * scale))]++;
  return bins;
}

// ON upwards and OFF downwards from the middle, as high as the root of their number: a flash does not flatten the rest,
// and all recordings have one scale.
function drawStrip(recording, peak, colours) {
  const context = recording.strip.getContext("2d"), { width, height } = recording.strip;
  const columns = recording.bins[0].length, step = width / columns, middle = height / 2;
  context.clearRect(0, 0, width, height);
  [colours.off, colours.on].forEach((colour, p) => {
    context.fillStyle = colour;
    recording.bins[p].forEach((count, i) => {
      const length = Math.ceil(Math.sqrt(count / peak) * middle);
      context.fillRect(i * step, p ? middle - length : middle, step, length);
    });
  });
}
