import { stderr, stdin } from 'node:process';

const enter = ['\r', '\n', '\u0004'];
const interrupt = '\u0003';
const backspace = ['\u007f', '\b'];

/** Asks on the terminal, and shows nothing of what is typed. Ctrl-C ends the program as it would elsewhere (exit 130). */
export function askHidden(question: string): Promise<string> {
  return new Promise((resolve) => {
    let typed = '';
    const take = (chunk: Buffer): void => {
      for (const character of chunk.toString('utf8')) {
        if (character === interrupt) end(() => process.exit(130));
        else if (enter.includes(character)) end(() => resolve(typed));
        else if (backspace.includes(character)) typed = typed.slice(0, -1);
        else typed += character;
      }
    };
    const end = (then: () => void): void => {
      stdin.off('data', take);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write('\n');
      then();
    };
    stderr.write(question);
    stdin.setRawMode(true);
    stdin.resume();
    stdin.on('data', take);
  });
}
