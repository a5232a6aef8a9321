// How many workflow tasks this process takes at once. Of those that replay a run's history, which is work, only few: a
// task's time runs from when it was taken. After a worker's death all its runs are replayed; taken together, none of many
// long ones would be ready in time, and each would begin again.
import type { CustomSlotSupplier, SlotPermit, SlotReserveContext, WorkflowSlotInfo } from '@temporalio/worker';

/** Of runs that this process has in memory: some milliseconds each, or a short read's time. */
const CACHED = 40;
/** Of runs that it has not: up to a third of a second of CPU each (harness/runControl.ts), all on one thread. */
const REPLAYED = 3;

type Kind = 'cached' | 'replayed';
interface Permit extends SlotPermit {
  kind: Kind;
}

export class WorkflowSlots implements CustomSlotSupplier<WorkflowSlotInfo> {
  readonly type = 'custom';
  private readonly free: Record<Kind, number> = { cached: CACHED, replayed: REPLAYED };
  private readonly waiting: Record<Kind, ((permit: Permit) => void)[]> = { cached: [], replayed: [] };

  async reserveSlot(context: Pick<SlotReserveContext, 'isSticky'>, signal: AbortSignal): Promise<Permit> {
    const permit = this.tryReserveSlot(context);
    if (permit) return permit;
    const queue = this.waiting[kindOf(context)];
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        queue.splice(queue.indexOf(take), 1);
        reject(signal.reason as Error);
      };
      const take = (freed: Permit): void => {
        signal.removeEventListener('abort', onAbort);
        resolve(freed);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      queue.push(take);
    });
  }

  tryReserveSlot(context: Pick<SlotReserveContext, 'isSticky'>): Permit | null {
    const kind = kindOf(context);
    if (this.free[kind] === 0) return null;
    this.free[kind] -= 1;
    return { kind };
  }

  markSlotUsed(): void {
    // It is taken since it was reserved.
  }

  releaseSlot({ permit }: { permit: SlotPermit }): void {
    const { kind } = permit as Permit;
    const next = this.waiting[kind].shift();
    if (next) next({ kind });
    else this.free[kind] += 1;
  }
}

const kindOf = ({ isSticky }: Pick<SlotReserveContext, 'isSticky'>): Kind => (isSticky ? 'cached' : 'replayed');
