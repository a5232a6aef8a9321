// Money: exact integers inside, decimal strings outside; limits from agent and caller.
import fc from 'fast-check';
import { agentDefinition } from '../../contracts/agent.js';
import { nanoUsd, usdOf } from '../../harness/limits/money.js';
import { applyLimits, limitsOfNewRun } from '../../harness/runControl.js';
import { costNanoUsd } from '../../providers/prices.js';

test('a sum of money survives the way in and out', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 9_000_000_000_000_000 }), (nano) => nanoUsd(usdOf(nano)) === nano));
  expect([usdOf(0), usdOf(5_000_000_000), usdOf(1), nanoUsd('0.1')]).toEqual([
    '0.00',
    '5.00',
    '0.000000001',
    100_000_000,
  ]);
});

test('a call costs input, output, cache writes and cache reads at their own prices', () => {
  const usage = { inputTokens: 1000, outputTokens: 1000, cacheReadTokens: 1000, cacheWriteTokens: 1000 };
  // 2 + 10 + 0.2 + 4 dollars a million tokens, thousand of each
  expect(usdOf(costNanoUsd('claude-sonnet-5-5', usage))).toBe('0.0162');
});

test('a model without a price counts as the dearest, so that a cost limit still holds', () => {
  const usage = { inputTokens: 1_000_000, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 };
  expect(costNanoUsd('somebody-elses-model', usage)).toBe(nanoUsd('10'));
});

test('limits come from the agent unless the caller gives them; a deadline may be a length of time or a moment', () => {
  const definition = agentDefinition.parse({
    name: 'a',
    model: 'm',
    instructions: 'i',
    limits: { deadline: '1h', maxSteps: 7 },
  });
  const limits = limitsOfNewRun(definition, { maxCostUsd: '0.5' }, 0);
  expect(limits).toMatchObject({ maxSteps: 7, maxCostNanoUsd: 500_000_000, deadline: new Date(3_600_000) });
  expect(applyLimits(limits, { deadline: '2h' }, 1000).deadline).toEqual(new Date(7_201_000));
  expect(applyLimits(limits, { deadline: '2030-01-01T00:00:00Z' }, 1000).deadline).toEqual(
    new Date('2030-01-01T00:00:00Z'),
  );
});
