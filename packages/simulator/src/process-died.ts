/** Thrown by an effect of a node to end it right there: the rest of its turn never happens. */
export class ProcessDied extends Error {
  constructor() {
    super('the process dies here');
    this.name = 'ProcessDied';
  }
}
