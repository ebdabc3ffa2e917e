import { createServer } from 'node:net';
import { join } from 'node:path';
import { AppendFile } from './append-file.ts';
import type { BareProcess } from './bare-process.ts';
import { acknowledgement, eachFrame } from './frames.ts';

/** Appends what the leader sends, and acknowledges what is durable. */
export class BareFollower implements BareProcess {
  port = 0;
  transactions = 0;
  #file: AppendFile | undefined;

  static async open(directory: string): Promise<BareFollower> {
    const follower = new BareFollower();
    const server = createServer((socket) => {
      socket.setNoDelay(true);
      const file = new AppendFile(join(directory, 'bare.log'), (count) => void socket.write(acknowledgement(count)));
      follower.#file = file;
      eachFrame(socket, (frame, count) => {
        follower.transactions += count;
        file.append(frame, count);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (typeof address === 'object' && address !== null) follower.port = address.port;
    return follower;
  }

  get syncs(): number {
    return this.#file?.syncs ?? 0;
  }
}
