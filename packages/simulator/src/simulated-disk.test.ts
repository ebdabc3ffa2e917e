import { expect, test } from 'vitest';
import { Agenda } from './agenda.ts';
import { SimulatedDisk } from './simulated-disk.ts';

function disk(): { readonly disk: SimulatedDisk; readonly done: string[]; readonly pass: (ms: number) => string[] } {
  const agenda = new Agenda();
  const done: string[] = [];
  const pass = (ms: number): string[] => {
    const untilMs = agenda.nowMs + ms;
    while (agenda.step(untilMs));
    return done;
  };
  return { disk: new SimulatedDisk(agenda), done, pass };
}

test('a stalled disk does nothing, however long, until it goes on; then what was held up is done in its order', () => {
  const { disk: one, done, pass } = disk();
  one.work(10, () => done.push('slow'));
  one.work(5, () => done.push('quick'));
  one.stall();
  one.work(1, () => done.push('late'));
  expect(pass(1e6)).toEqual([]);
  one.goOn();
  expect(pass(10)).toEqual(['slow', 'quick', 'late']);
});

test('a slow disk takes a multiple of the time, without a bound, and a healed one is done soon', () => {
  const { disk: one, done, pass } = disk();
  one.slowness = 1000;
  one.work(10, () => done.push('slow'));
  expect(pass(9_000)).toEqual([]);
  one.heal();
  expect(pass(1)).toEqual(['slow']);
});

test('work of a process that is gone is never done', () => {
  const { disk: one, done, pass } = disk();
  one.work(1, () => done.push('gone'));
  one.forget();
  expect(pass(100)).toEqual([]);
});
