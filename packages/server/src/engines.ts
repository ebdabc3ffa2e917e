// The registry of engines: adding one is one folder and one line.
export { kv } from '@lockstep/engine-kv/engine';
export { pki } from '@lockstep/engine-pki/engine';
