import type { Question } from './question.ts';

/** What travels over a child's IPC channel, as JSON. */
export interface Asked {
  readonly id: number;
  readonly question: Question;
}

export interface Answered {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: string;
}

/** The child's side: answers what its parent asks, until the parent is gone. */
export function answerParent(answer: (question: Question) => Promise<unknown>): void {
  const reply = (answered: Answered): void => void process.send?.(JSON.stringify(answered));
  process.on('message', (text) => {
    const { id, question }: Asked = JSON.parse(String(text));
    answer(question).then(
      (given) => reply({ id, answer: given }),
      (error: unknown) => reply({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
  process.on('disconnect', () => process.exit(0));
}
