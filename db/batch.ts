// Statements that leave in one packet and are answered in one, with a single Sync at their end. PostgreSQL runs them in
// order and skips those after one that fails; outside of BEGIN and COMMIT they are one transaction by themselves.
import pg, { type FieldDef, type QueryResult } from 'pg';
import { type Column, type Preparations, columnsOf } from './preparations.js';

/** What a batch uses of pg's connection: one function per message of the protocol. */
export interface Wire {
  stream: { cork(): void; uncork(): void };
  parse(message: { name: string; text: string }): void;
  bind(message: { statement: string; values: readonly unknown[] }): void;
  describe(message: { type: 'P'; name: string }): void;
  execute(message: Record<string, never>): void;
  close(message: { type: 'S'; name: string }): void;
  sync(): void;
}

export interface Statement {
  text: string;
  values: readonly unknown[];
  done(this: void, err: Error | undefined, result?: QueryResult): void;
}

/** pg's own, so that values mean the same as everywhere else. */
const { prepareValue } = (pg as unknown as { utils: { prepareValue(this: void, value: unknown): unknown } }).utils;

/** Given to pg's own queue, which calls these methods as the answers come. */
export class Batch {
  private readonly results: QueryResult[] = [];
  private columns: Column[] | undefined;
  private rows: Record<string, unknown>[] = [];

  constructor(
    private readonly statements: readonly Statement[],
    private readonly prepared: Preparations,
  ) {}

  /** Returns what is wrong with the values; then nothing was sent. */
  submit(wire: Wire): Error | null {
    let values: unknown[][];
    try {
      values = this.statements.map((statement) => statement.values.map(prepareValue));
    } catch (err) {
      return err instanceof Error ? err : new Error(String(err));
    }
    wire.stream.cork();
    this.statements.forEach(({ text }, i) => {
      const { name, close, parse, describe } = this.prepared.use(text);
      if (close) wire.close({ type: 'S', name });
      if (parse) wire.parse({ name, text });
      wire.bind({ statement: name, values: values[i] ?? [] });
      if (describe) wire.describe({ type: 'P', name: '' });
      wire.execute({});
    });
    wire.sync();
    wire.stream.uncork();
    return null;
  }

  handleRowDescription({ fields }: { fields: FieldDef[] }): void {
    this.columns = columnsOf(fields);
  }

  handleDataRow({ fields: values }: { fields: (string | null)[] }): void {
    this.columns ??= this.prepared.columnsOf(this.current.text) ?? [];
    const row: Record<string, unknown> = {};
    this.columns.forEach(({ name, parse }, i) => {
      const value = values[i] ?? null;
      row[name] = value === null ? null : parse(value);
    });
    this.rows.push(row);
  }

  handleCommandComplete({ text }: { text: string }): void {
    const { current } = this;
    this.prepared.succeeded(current.text, this.columns ?? this.prepared.columnsOf(current.text) ?? []);
    const [command = ''] = /^[A-Z]*/.exec(text) ?? [];
    const [, count] = / (\d+)$/.exec(text) ?? [];
    const rowCount = count === undefined ? null : Number(count);
    this.results.push({ command, rowCount, oid: 0, fields: [], rows: this.rows });
    this.columns = undefined;
    this.rows = [];
  }

  handleEmptyQuery(): void {
    this.handleCommandComplete({ text: '' });
  }

  /** Not before: COMMIT, and a statement that is a transaction by itself, count when PostgreSQL is ready again. */
  handleReadyForQuery(): void {
    this.statements.forEach(({ done }, i) => done(undefined, this.results[i]));
  }

  /** Of a statement or of the connection. What these statements are a part of is undone. */
  handleError(err: Error): void {
    for (const { text } of this.statements.slice(this.results.length)) this.prepared.failed(text);
    for (const { done } of this.statements) done(err);
  }

  private get current(): Statement {
    return this.statements[this.results.length] as Statement;
  }
}
