// Malformed calls as a row of the benchmark's table.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { waitFor } from '../../../embedded/processes.js';
import type { Stage } from '../stage.js';
import { type Findings, playMalformed, sumOf } from './play.js';

export interface MalformedFigures {
  calls: number;
  runs: number;
  executed: number;
  withoutError: number;
  workerLives: boolean;
  /** The first of what went wrong, in words. */
  problems: string[];
}

const TOLD = 20;

export async function playMalformedOnline(
  stage: Stage,
  { count, seed }: { count: number; seed: number },
): Promise<MalformedFigures> {
  const sink = await startChargeServer();
  try {
    const findings = await playMalformed(
      {
        ok: stage.ask,
        ended: (id) => ended(stage, id),
        model: stage.model,
        sinkUrl: sink.url,
        arrived: () => sink.arrived,
        said: (runs, calls) => console.log(`${calls} of ${count} malformed calls in ${runs} runs`),
      },
      { count, seed },
    );
    return figuresOf(findings, stage.workerLives());
  } finally {
    await sink.close();
  }
}

function figuresOf(
  { generated, runs, executed, missed, withoutError }: Findings,
  workerLives: boolean,
): MalformedFigures {
  const problems = [
    ...executed.map((what) => `executed: ${what}`),
    ...missed.map((what) => `a good call did not run once: ${what}`),
    ...withoutError,
  ];
  return {
    calls: sumOf(generated),
    runs,
    executed: executed.length,
    withoutError: withoutError.length + missed.length,
    workerLives,
    problems: problems.slice(0, TOLD),
  };
}

export const malformedRows = ({ calls, runs, executed, withoutError, workerLives }: MalformedFigures): string[] => [
  `| malformed, unknown, oversize, repeated, cut off calls executed, of ${calls} in ${runs} runs | 0 | ${executed} |`,
  `| of them, calls without an error to go on from, or good calls beside them that did not run once | 0 | ${withoutError} |`,
  `| workers that it took down | 0 | ${workerLives ? 0 : 1} |`,
];

export const areRefused = ({ executed, withoutError, workerLives }: MalformedFigures): boolean =>
  executed === 0 && withoutError === 0 && workerLives;

const ended = ({ ask }: Stage, id: string): Promise<{ status: string }> =>
  waitFor(
    `the end of ${id}`,
    async () => {
      const run = await ask<{ status: string }>('GET', `/v1/runs/${id}`);
      return ['completed', 'stopped', 'failed', 'cancelled'].includes(run.status) ? run : undefined;
    },
    600_000,
  );

/** The service behind the one tool: remembers what it was asked to charge. */
async function startChargeServer(): Promise<{ url: string; arrived: string[]; close(): Promise<void> }> {
  const arrived: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { arguments: { what: unknown } };
      arrived.push(String(body.arguments.what));
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":true}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrived,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
