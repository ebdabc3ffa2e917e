// The seals there are. Adding one is a folder and a line here.
export { staticSeal } from './static/static-seal.ts';
