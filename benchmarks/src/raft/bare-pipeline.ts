import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Child } from './child.ts';
import { portOf } from './raft-cluster.ts';

/** Three processes that append, fdatasync and acknowledge, and do nothing else: what the machine would allow. */
export class BarePipeline {
  readonly leader: Child;
  readonly followers: readonly Child[];

  static async start(directory: string, nodes: number): Promise<BarePipeline> {
    const folder = (at: number): string => {
      const path = join(directory, `bare-${at}`);
      mkdirSync(path, { recursive: true, mode: 0o700 });
      return path;
    };
    const followers = Array.from(
      { length: nodes - 1 },
      (_, at) => new Child(`bare-${at + 2}`, './bare/main.ts', [folder(at + 2)]),
    );
    const ports: number[] = [];
    for (const follower of followers) ports.push(await portOf(follower));
    const leader = new Child('bare-1', './bare/main.ts', [folder(1), ...ports.map(String)]);
    await portOf(leader);
    return new BarePipeline(leader, followers);
  }

  private constructor(leader: Child, followers: readonly Child[]) {
    this.leader = leader;
    this.followers = followers;
  }

  get children(): readonly Child[] {
    return [this.leader, ...this.followers];
  }

  async stop(): Promise<void> {
    await Promise.all(this.children.map((child) => child.kill()));
  }
}
