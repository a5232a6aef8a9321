import { WorkflowSlots } from '../../worker/workflowSlots.js';

const replay = { isSticky: false };
const cached = { isSticky: true };
const never = new AbortController().signal;

const takeAll = (slots: WorkflowSlots, context: { isSticky: boolean }): object[] => {
  const taken: object[] = [];
  for (let permit = slots.tryReserveSlot(context); permit; permit = slots.tryReserveSlot(context)) taken.push(permit);
  return taken;
};

test('of workflow tasks that replay a history few are taken at once, and they leave room for the others', () => {
  const slots = new WorkflowSlots();
  expect(takeAll(slots, replay)).toHaveLength(3);
  expect(takeAll(slots, cached)).toHaveLength(40);
});

test('one that ends makes room for the next in line of its kind', async () => {
  const slots = new WorkflowSlots();
  const [permit] = takeAll(slots, replay);
  const order: string[] = [];
  const first = slots.reserveSlot(replay, never).then((taken) => (order.push('first'), taken));
  const second = slots.reserveSlot(replay, never).then(() => order.push('second'));
  slots.releaseSlot({ permit: permit as object });
  slots.releaseSlot({ permit: await first });
  await second;
  expect(order).toEqual(['first', 'second']);
  expect(slots.tryReserveSlot(replay)).toBeNull();
  expect(slots.tryReserveSlot(cached)).not.toBeNull();
});

test('whoever stops waiting takes nothing', async () => {
  const slots = new WorkflowSlots();
  const [permit] = takeAll(slots, replay);
  const leaving = new AbortController();
  const waiting = slots.reserveSlot(replay, leaving.signal);
  leaving.abort(new Error('the worker stops'));
  await expect(waiting).rejects.toThrow('the worker stops');
  slots.releaseSlot({ permit: permit as object });
  expect(slots.tryReserveSlot(replay)).not.toBeNull();
});
