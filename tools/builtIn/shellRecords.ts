// What became of a shell call, kept in its run's workspace out of the command's reach: a second attempt reads it.
import { readdir, rm } from 'node:fs/promises';
import { sha256Hex } from '../../harness/canonical.js';
import type { Reconciled, ToolContext } from '../execution.js';
import type { ToolResult } from '../result.js';
import { RESERVED } from './paths.js';
import { readText, writeText } from './workspaceFiles.js';
import { type Wanted, within } from './workspaceFolder.js';

export const SHELL_RECORDS = `${RESERVED}shell`;

export class ShellRecord {
  private readonly root: string;
  private readonly wanted: Wanted;

  constructor(private readonly ctx: Pick<ToolContext, 'workspaceDir' | 'idempotencyKey' | 'step'>) {
    this.root = ctx.workspaceDir;
    this.wanted = { names: [SHELL_RECORDS, `${ctx.step}-${sha256Hex(ctx.idempotencyKey)}`], shown: 'the record' };
  }

  /** Before the command may act. */
  async begin(): Promise<void> {
    await this.forgetEarlierSteps();
    await writeText(this.root, this.wanted, '{}');
  }

  /** A result that cannot be kept is returned all the same; only a second attempt would not find it. */
  async end(result: ToolResult): Promise<void> {
    await writeText(this.root, this.wanted, JSON.stringify({ result })).catch(() => undefined);
  }

  async forget(): Promise<void> {
    await within(this.root, this.wanted, ({ full }) => rm(full, { force: true }));
  }

  async whatBecameOfIt(): Promise<Reconciled> {
    const text = await readText(this.root, this.wanted).catch(() => undefined);
    if (text === undefined) return { happened: false };
    const { result } = JSON.parse(text) as { result?: ToolResult };
    return result === undefined ? 'unknown' : { happened: true, result };
  }

  /** Every call of an earlier step has its result in the database. */
  private async forgetEarlierSteps(): Promise<void> {
    await within(this.root, this.wanted, async ({ folder }) => {
      const earlier = (await readdir(folder)).filter((name) => Number(name.split('-')[0]) < this.ctx.step);
      await Promise.all(earlier.map((name) => rm(`${folder}/${name}`, { force: true })));
    });
  }
}
