// The audit sinks there are. Adding one is a folder and a line here.
export { openFileSink } from './file/file-sink.ts';
