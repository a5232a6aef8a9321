// A message to a run is sent once, however often its sender has to repeat the request.
import { type TestApi, startTestApi } from './support.js';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api?.stop());

const send = (id: string, content: string, key?: string) =>
  api.call('POST', `/v1/runs/${id}/messages`, {
    body: { content },
    ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
  });
const queuedOf = async (id: string): Promise<number> => {
  const { body } = await api.call('GET', `/v1/runs/${id}/events?types=message.queued`);
  return (body['data'] as unknown[]).length - 1; // less the input
};

test('a message repeated under its key is queued once, also by ten senders at once and after the run has ended', async () => {
  const { id } = await api.aRun();
  const answers = await Promise.all(Array.from({ length: 10 }, () => send(id, 'hurry', 'one')));
  expect(answers.map((a) => a.status)).toEqual(answers.map(() => 202));
  expect(new Set(answers.map((a) => a.body['messageId'])).size).toBe(1);
  await api.end(id, 'completed');
  expect(await send(id, 'hurry', 'one')).toEqual(expect.objectContaining({ status: 202, body: answers[0]?.body }));
  expect(await send(id, 'hurry', 'two')).toMatchObject({ status: 409 });
  expect(await queuedOf(id)).toBe(1);
});

test('another message under a key that is used is refused; keys of two runs have nothing to do with each other', async () => {
  const [first, second] = [await api.aRun(), await api.aRun()];
  await send(first.id, 'hurry', 'same');
  const other = await send(first.id, 'wait', 'same');
  expect(other).toMatchObject({ status: 409, body: { type: expect.stringMatching(/idempotency-conflict$/) } });
  expect(await send(second.id, 'wait', 'same')).toMatchObject({ status: 202 });
  expect([await queuedOf(first.id), await queuedOf(second.id)]).toEqual([1, 1]);
});

test('without a key every request is a message of its own', async () => {
  const { id } = await api.aRun();
  await send(id, 'hurry');
  await send(id, 'hurry');
  expect(await queuedOf(id)).toBe(2);
});
