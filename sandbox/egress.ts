// One request to the world outside: the name is resolved once, every address of it is looked at, and the connection
// goes to one that was. A redirect is another request; whoever sends this one decides whether to follow.
import { lookup } from 'node:dns/promises';
import { type LookupFunction, isIP } from 'node:net';
import { Agent, buildConnector, request } from 'undici';
import { type AddressKind, kindOf } from './addressKind.js';

export interface Address {
  address: string;
  family: number;
}
export type Resolve = (host: string) => Promise<Address[]>;

export interface EgressRequest {
  url: URL;
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  headers: Record<string, string>;
  body: string | undefined;
  /** This machine and private networks may be reached. */
  allowPrivate: boolean;
  maxResponseBytes: number;
  signal: AbortSignal;
}

export interface EgressAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** Undefined when there is more than is taken. */
  body: Buffer | undefined;
}

/** The host is, or resolves to, an address that may not be reached. Nothing was sent. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
}

const CONNECT_MS = 10_000;

export const systemResolve: Resolve = (host) => lookup(host, { all: true, verbatim: true });

export async function send(outgoing: EgressRequest, resolve: Resolve = systemResolve): Promise<EgressAnswer> {
  const { url, allowPrivate, signal, maxResponseBytes } = outgoing;
  const mayReach = (address: string): boolean => isReachable(kindOf(address), allowPrivate);
  const addresses = await checkedAddresses(url.hostname, resolve, mayReach, allowPrivate);
  const agent = agentTo(addresses, mayReach);
  try {
    const answer = await request(url, {
      method: outgoing.method,
      dispatcher: agent,
      signal,
      headers: { ...outgoing.headers, 'accept-encoding': 'identity' },
      ...(outgoing.body === undefined ? {} : { body: outgoing.body }),
      headersTimeout: 0, // whoever sends it has a limit of its own
      bodyTimeout: 60_000,
    });
    return { status: answer.statusCode, headers: answer.headers, body: await limited(answer.body, maxResponseBytes) };
  } finally {
    await agent.destroy();
  }
}

const isReachable = (kind: AddressKind, allowPrivate: boolean): boolean =>
  kind === 'public' || (kind === 'private' && allowPrivate);

/** All of them have to pass: a name with one address inside and one outside is a trick. */
async function checkedAddresses(
  hostname: string,
  resolve: Resolve,
  mayReach: (address: string) => boolean,
  allowPrivate: boolean,
): Promise<Address[]> {
  const host = hostname.replaceAll(/^\[|\]$/g, '');
  const family = isIP(host);
  const addresses = family === 0 ? await resolve(host) : [{ address: host, family }];
  const refused = addresses.find(({ address }) => !mayReach(address));
  if (refused || addresses.length === 0) {
    const kind = refused && kindOf(refused.address);
    const remedy =
      kind === 'private' && !allowPrivate ? ' (an agent file can allow its own networks: private: true)' : '';
    const what = kind === 'private' ? 'of a private network' : 'no address on the internet';
    throw new AddressRefused(`${host} is ${refused ? what : 'nowhere'}${remedy}`);
  }
  return addresses;
}

/** Connects to the addresses that were looked at and to no other, whatever the name resolves to by now. */
function agentTo(addresses: readonly Address[], mayReach: (address: string) => boolean): Agent {
  const pinned: LookupFunction = (_host, options, callback) => {
    const [first] = addresses as [Address];
    if (options.all) callback(null, [...addresses]);
    else callback(null, first.address, first.family);
  };
  const connect = buildConnector({ timeout: CONNECT_MS, lookup: pinned });
  return new Agent({
    pipelining: 0,
    connect(options, callback) {
      connect(options, (err, socket) => {
        if (err) return callback(err, null);
        // The second wall: before the first byte of the request, the address that was really reached.
        if (mayReach(socket.remoteAddress ?? '')) return callback(null, socket);
        socket.destroy();
        callback(new AddressRefused(`${options.hostname} led to an address that may not be reached`), null);
      });
    },
  });
}

/** Undefined when there is too much. Leaving the loop closes the connection. */
async function limited(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
