// From the page's text to events: t in microseconds since the recording's clock began, address = (y * w + x) * 2 + p.

function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const plain = atob(text), bytes = new Uint8Array(plain.length);
  for (let i = 0; i < plain.length; i++) bytes[i] = plain.charCodeAt(i);
  return bytes;
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Chunk by chunk, so that the page answers meanwhile; told(n) after each of n events.
async function unpack(item, told) {
  const { title, w, h, start, n } = item;
  const t = new Float64Array(n), address = new Uint32Array(n);
  let first = 0, now = 0;
  for (const text of item.chunks) {
    const bytes = await inflate(bytesOf(text)), count = Math.min(65536, n - first);
    let at = 0;
    for (let k = first; k < first + count; k++) {
      let byte = bytes[at++];
      if (byte < 128) now += byte;
      else {
        let scale = 1;
        for (; byte >= 128; byte = bytes[at++], scale *= 128) now += (byte & 127) * scale;
        now += byte * scale;
      }
      t[k] = now;
    }
    for (let k = 0; k < count; k++, at++) {
      const column = bytes[at] | bytes[at + count] << 8 | bytes[at + 2 * count] << 16;
      const y = bytes[at + 3 * count] | bytes[at + 4 * count] << 8;
      address[first + k] = (y * w + (column >> 1)) * 2 + (column & 1);
    }
    first += count;
    told(count);
  }
  return { title, w, h, start, n, t, address };
}
