// What every command is given: the connection, the way it shows things, and the run of its own code to an exit code.
import type { Command, OptionValues } from 'commander';
import { Client } from './client.js';
import { connectionOf } from './connection.js';
import type { Io } from './io.js';
import { type Style, styleOf, wantsColours } from './render/style.js';

export interface Cli {
  io: Io;
  json: boolean;
  style: Style;
  /** Made when it is first asked for: help and usage errors need no key. */
  readonly client: Client;
  /** One JSON document per line: the only thing that --json puts on standard output. */
  printJson(value: unknown): void;
}

export interface GlobalOptions {
  url?: string;
  key?: string;
  json?: boolean;
  color?: boolean;
}

export function makeCli(io: Io, options: GlobalOptions): Cli {
  let client: Client | undefined;
  return {
    io,
    json: options.json === true,
    style: styleOf(options.color !== false && wantsColours(io.isTerminal, io.env)),
    get client() {
      client ??= new Client(connectionOf(options, io.env));
      return client;
    },
    printJson: (value) => io.out(`${JSON.stringify(value)}\n`),
  };
}

/** A command's own code: an exit code, or nothing for 0. `args` are the words after the command's name. */
export type CommandCode<Options> = (cli: Cli, args: string[], options: Options) => Promise<number | void>;

/** Gives a command its code; the exit code is carried out by main. */
export type Attach = <Options extends OptionValues>(command: Command, code: CommandCode<Options>) => void;

/** Collects an option that may be given several times. */
export const collect = (value: string, before: string[] = []): string[] => [...before, value];

export const pathOf = (strings: TemplateStringsArray, ...values: string[]): string =>
  strings.reduce((path, part, i) => path + encodeURIComponent(values[i - 1] ?? '') + part);
