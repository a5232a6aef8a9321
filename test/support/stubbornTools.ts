// A user's module whose tools do not listen to their signal: they return when the service answers, whatever was said.
import { defineTool } from 'longhaul';
import { z } from 'zod';

const ring = (effect: 'idempotent' | 'irreversible') =>
  defineTool({
    name: `ring_${effect}`,
    description: 'rings a bell',
    input: z.object({ url: z.string() }),
    effect,
    timeout: '1s',
    async execute({ url }, { idempotencyKey }) {
      const headers = { 'idempotency-key': idempotencyKey };
      const response = await fetch(url, { method: 'POST', headers, body: '{}' });
      return { content: await response.text() };
    },
    async compensate({ arguments: args, result }) {
      const { url } = args as { url: string };
      await fetch(url.replace('/ring', '/unring'), { method: 'POST', body: JSON.stringify({ arguments: { result } }) });
    },
  });

export const tools = [ring('idempotent'), ring('irreversible')];
