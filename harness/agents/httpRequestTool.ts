// http_request as an agent file allows it: from its rules to a complete declaration.
import type { HttpRequestTool } from '../../contracts/agent.js';
import { durationMs } from '../../contracts/duration.js';
import { type HttpRule, READING, httpRequestDefaults } from '../../contracts/httpRequest.js';
import type { ToolDefinition } from '../../contracts/tools.js';

const LONGEST_MS = 600_000;

/** Reports what cannot be; the declaration is then of no use. */
export function httpRequestToolOf(
  entry: HttpRequestTool,
  base: ToolDefinition,
  report: (field: string, message: string) => void,
): ToolDefinition {
  const { allow } = entry;
  const methods = [...new Set(allow.flatMap((rule) => rule.methods))];
  const writes = methods.filter((method) => !READING.includes(method));
  if (writes.length === 0 && entry.effect !== undefined && entry.effect !== 'read') {
    report('effect', `it only sends ${methods.join(' and ')}, which read; leave effect out, or allow other methods`);
  }
  if (writes.length > 0 && (entry.effect === 'read' || entry.effect === 'reconcilable')) {
    report('effect', `it may send ${writes.join(', ')}, so it is idempotent or irreversible, not ${entry.effect}`);
  }
  const timeoutMs = entry.timeout === undefined ? base.timeoutMs : durationMs(entry.timeout);
  if (timeoutMs > LONGEST_MS) report('timeout', 'http_request takes at most 10m; give the same or less');
  const properties = base.input['properties'] as Record<string, object>;
  return {
    ...base,
    description: `${base.description} Allowed: ${allow.map(shown).join('; ')}.`,
    input: { ...base.input, properties: { ...properties, method: { ...properties['method'], enum: methods } } },
    // Of a call that writes. One that reads is a read, whatever else may be sent (harness/callEffect.ts).
    effect: writes.length === 0 ? 'read' : (entry.effect ?? 'irreversible'),
    labels: entry.labels ?? base.labels,
    controls: [...new Set([...base.controls, ...(entry.controls ?? [])])],
    external: entry.external ?? base.external,
    timeoutMs,
    maxAttempts: entry.attempts ?? base.maxAttempts,
    httpRequest: {
      allow,
      maxRedirects: entry.redirects ?? httpRequestDefaults.maxRedirects,
      maxResponseBytes: entry.responseBytes ?? httpRequestDefaults.maxResponseBytes,
    },
    ...(entry.queue === undefined ? {} : { queue: entry.queue }),
    ...(entry.unknown === undefined ? {} : { unknown: entry.unknown }),
  };
}

const shown = ({ url, methods }: HttpRule): string => `${methods.join(', ')} ${url}`;
