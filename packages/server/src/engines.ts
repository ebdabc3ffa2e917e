// The registry of engines: adding one is one folder and one line.
export { pki } from '@lockstep/engine-pki/engine';
