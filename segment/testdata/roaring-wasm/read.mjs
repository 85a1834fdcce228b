// Reads portable bitmaps, one in base64 to a line of standard input, and writes
// for each a line of JSON: its members, and the bitmap as this implementation
// writes it, plain and with runs.
import { createInterface } from 'node:readline';
import wasm from 'roaring-wasm';

const { RoaringBitmap32 } = wasm;
await wasm.roaringLibraryInitialize();
const base64 = (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');

for await (const line of createInterface({ input: process.stdin })) {
  const bitmap = RoaringBitmap32.deserialize('portable', Buffer.from(line, 'base64'));
  const members = base64(bitmap.toUint32Array());
  bitmap.removeRunCompression();
  const plain = base64(bitmap.serialize('portable'));
  bitmap.runOptimize();
  const runs = base64(bitmap.serialize('portable'));
  bitmap.dispose();
  console.log(JSON.stringify({ members, plain, runs }));
}
