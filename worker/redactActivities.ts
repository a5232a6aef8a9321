// The way between Temporal and activities: what signals brought goes in, and results and errors come out, without secrets.
import type { ActivityInboundCallsInterceptor } from '@temporalio/worker';
import type { Redactor } from '../harness/redaction/redactor.js';

export const redactActivities = (redactor: Redactor): ActivityInboundCallsInterceptor => ({
  async execute(input, next) {
    try {
      const result = await next({ ...input, args: redactor.json(input.args).value });
      return redactor.json(result).value;
    } catch (err) {
      redactError(redactor, err);
      throw err;
    }
  },
});

/** In place: its class says what Temporal does with it. */
export function redactError(redactor: Redactor, err: unknown): void {
  for (let e = err, depth = 0; e instanceof Error && depth < 5; e = e.cause, depth++) {
    const { message, stack } = e;
    const clean = redactor.text(message);
    if (clean.names.length > 0) e.message = clean.value;
    if (stack !== undefined && redactor.text(stack).names.length > 0) e.stack = redactor.text(stack).value;
  }
}
