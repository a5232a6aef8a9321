// The workspace tools on real files: what they do, what they refuse, and that there is no way out.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ToolContext, ToolExecutor } from '../../tools/execution.js';
import { workspaceEdit as edit } from '../../tools/builtIn/workspaceEdit.js';
import { MAX_FILE_BYTES } from '../../tools/builtIn/workspaceFiles.js';
import { workspaceList as list } from '../../tools/builtIn/workspaceList.js';
import { workspaceRead as read } from '../../tools/builtIn/workspaceRead.js';
import { workspaceWrite as write } from '../../tools/builtIn/workspaceWrite.js';
import { aCall, aFolder, removeFolders, run, shown } from './context.js';

let base: string;
let workspaceDir: string;
beforeEach(() => {
  base = aFolder();
  workspaceDir = path.join(base, 'run_1');
});
afterEach(removeFolders);

const using = async (tool: ToolExecutor, args: object, ctx: Partial<ToolContext> = {}) =>
  shown(await run(tool, args, aCall({ workspaceDir, ...ctx })));
const content = (file: string): string => readFileSync(path.join(workspaceDir, file), 'utf8');
const put = (file: string, text: string | Buffer): void => {
  mkdirSync(path.dirname(path.join(workspaceDir, file)), { recursive: true });
  writeFileSync(path.join(workspaceDir, file), text);
};

describe('files', () => {
  test('that were written are listed and read', async () => {
    expect(await using(list, {})).toEqual({ text: 'The workspace is empty.', isError: false });
    expect(await using(write, { path: 'notes/b.md', content: 'grüße' })).toEqual({
      text: 'Wrote notes/b.md (7 bytes).',
      isError: false,
    });
    await using(write, { path: 'a.md', content: '' });
    expect((await using(list, {})).text).toBe('a.md (0)\nnotes/b.md (7)');
    expect((await using(read, { path: './notes/../notes/b.md' })).text).toBe('grüße');
    expect((await using(read, { path: 'a.md' })).text).toBe('(no output)');
  });

  test('of a folder are listed with the path that every other tool takes', async () => {
    put('notes/deep/b.md', 'x');
    expect((await using(list, { path: 'notes' })).text).toBe('notes/deep/b.md (1)');
    mkdirSync(path.join(workspaceDir, 'empty'));
    expect((await using(list, { path: 'empty' })).text).toBe('empty has no files in it.');
  });

  test('that are replaced keep nothing of what was there', async () => {
    put('a.md', 'a long text');
    await using(write, { path: 'a.md', content: 'short' });
    expect(content('a.md')).toBe('short');
    expect(readdirSync(workspaceDir)).toEqual(['a.md']);
  });

  test('beyond a thousand are counted, not listed', async () => {
    mkdirSync(workspaceDir);
    for (let i = 0; i < 1005; i++) writeFileSync(path.join(workspaceDir, `f${String(i).padStart(4, '0')}`), '');
    const { text } = await using(list, {});
    expect(text.split('\n')).toHaveLength(1001);
    expect(text).toMatch(/f0999 \(0\)\n… and 5 more; list a folder of it$/);
  });

  test('of one run are not those of another', async () => {
    await using(write, { path: 'a.md', content: 'mine' });
    const other = { workspaceDir: path.join(base, 'run_2') };
    expect((await using(list, {}, other)).text).toBe('The workspace is empty.');
    expect((await using(read, { path: 'a.md' }, other)).text).toContain('There is no file a.md');
  });

  test('with a line break in their name do not look like two in the list', async () => {
    put('a\nb (99)', 'x');
    expect((await using(list, {})).text).toBe('a�b (99) (1)');
  });
});

describe('a path', () => {
  const outsiders = [
    '../secret.txt',
    'notes/../../secret.txt',
    '..',
    '/etc/passwd',
    '/dev/zero',
    '..\\secret.txt',
    'a\0.txt',
    'a\nb.txt',
    'link/secret.txt',
    'secret-link',
    'pipe',
  ];

  test.each(outsiders)('%j leads to nothing: not by reading, writing, editing or listing', async (file) => {
    writeFileSync(path.join(base, 'secret.txt'), 'secret');
    mkdirSync(workspaceDir);
    symlinkSync(base, path.join(workspaceDir, 'link'));
    symlinkSync(path.join(base, 'secret.txt'), path.join(workspaceDir, 'secret-link'));
    execFileSync('mkfifo', [path.join(workspaceDir, 'pipe')]);
    const refused = { text: expect.stringContaining('is not a path inside the workspace'), isError: true };
    expect(await using(read, { path: file })).toEqual(refused);
    expect(await using(write, { path: file, content: 'x' })).toEqual(refused);
    expect(await using(edit, { path: file, oldText: 'secret', newText: 'x' })).toEqual(refused);
    expect(await using(list, { path: file })).toEqual(refused);
    expect(readFileSync(path.join(base, 'secret.txt'), 'utf8')).toBe('secret');
  });

  test('of a link is not listed', async () => {
    mkdirSync(workspaceDir);
    symlinkSync(base, path.join(workspaceDir, 'link'));
    put('a.md', 'x');
    expect((await using(list, {})).text).toBe('a.md (1)');
  });

  test.each(['.', 'notes/..', 'notes/'])('%j names a folder and cannot be written', async (file) => {
    const before = readdirSync(base);
    expect(await using(write, { path: file, content: 'x' })).toMatchObject({
      text: expect.stringContaining('is a folder'),
      isError: true,
    });
    expect(readdirSync(base).filter((name) => name !== 'run_1')).toEqual(before);
  });

  test.each<[string, string]>([
    ['a'.repeat(300), 'ENAMETOOLONG'],
    ['a/'.repeat(300), 'longer than 400 characters'],
    ['.longhaul-edits/x', 'reserved'],
    ['notes/.longhaul-x', 'reserved'],
  ])('%j is refused with the reason', async (file, reason) => {
    for (const settled of [await using(read, { path: file }), await using(write, { path: file, content: 'x' })]) {
      expect(settled).toEqual({ text: expect.stringContaining(reason), isError: true });
    }
  });

  test('through a file, or onto a folder, is refused without a word of the real folder', async () => {
    put('a.md', 'x');
    mkdirSync(path.join(workspaceDir, 'folder'));
    for (const settled of [
      await using(write, { path: 'a.md/b.md', content: 'x' }),
      await using(write, { path: 'folder', content: 'x' }),
      await using(read, { path: 'a.md/b.md' }),
      await using(read, { path: 'folder' }),
      await using(list, { path: 'a.md' }),
      await using(list, { path: 'nowhere' }),
    ]) {
      expect(settled.isError).toBe(true);
      expect(settled.text).not.toContain(base);
    }
    expect(readdirSync(workspaceDir).toSorted()).toEqual(['a.md', 'folder']);
  });
});

describe('text', () => {
  test.each<[string, Buffer]>([
    ['with NUL', Buffer.from('a\0b')],
    ['in another encoding', Buffer.from('gr\xfc\xdfe', 'latin1')],
  ])('%s is neither read nor edited', async (_, bytes) => {
    put('a.bin', bytes);
    expect((await using(read, { path: 'a.bin' })).text).toBe('a.bin is not a text file in UTF-8.');
    expect((await using(edit, { path: 'a.bin', oldText: 'gr', newText: 'x' })).isError).toBe(true);
    expect(readFileSync(path.join(workspaceDir, 'a.bin'))).toEqual(bytes);
  });

  test('beyond the size limit is neither read nor written', async () => {
    put('big.txt', 'a'.repeat(MAX_FILE_BYTES + 1));
    expect((await using(read, { path: 'big.txt' })).text).toContain(`at most ${MAX_FILE_BYTES} are read`);
    const big = { path: 'b.txt', content: 'ä'.repeat(MAX_FILE_BYTES / 2 + 1) };
    expect((await using(write, big)).text).toContain(`more than ${MAX_FILE_BYTES} bytes`);
    expect(existsSync(path.join(workspaceDir, 'b.txt'))).toBe(false);
  });
});

describe('an edit', () => {
  test('replaces one exact piece of text, and nothing in it has a meaning of its own', async () => {
    put('a.md', 'price: 5 EUR\n');
    await using(edit, { path: 'a.md', oldText: '5 EUR', newText: '$& $1 €' });
    expect(content('a.md')).toBe('price: $& $1 €\n');
  });

  test.each<[string, object, string]>([
    ['that is not there', { oldText: 'c', newText: 'x' }, 'does not stand in a.md'],
    ['that is there twice', { oldText: 'a', newText: 'x' }, 'stands more than once'],
    ['that overlaps itself', { oldText: 'aba', newText: 'x' }, 'stands more than once'],
    ['by itself', { oldText: 'b', newText: 'b' }, 'are the same'],
    ['that is not there although the new text is', { oldText: 'c', newText: 'a' }, 'does not stand in a.md'],
  ])('of text %s changes nothing', async (_, texts, reason) => {
    put('a.md', 'ababa');
    expect(await using(edit, { path: 'a.md', ...texts })).toEqual({
      text: expect.stringContaining(reason),
      isError: true,
    });
    expect(content('a.md')).toBe('ababa');
  });

  test.each<[string, string, string]>([
    ['a replacement', 'b', 'x'],
    ['a deletion', 'b', ''],
    ['a text put behind itself', 'b', 'b b2'],
  ])('that is tried again after it was made is made once: %s', async (_, oldText, newText) => {
    put('a.md', 'a b c');
    const { idempotencyKey } = aCall();
    const args = { path: 'a.md', oldText, newText };
    const first = await using(edit, args, { idempotencyKey });
    const after = content('a.md');
    expect(await using(edit, args, { idempotencyKey })).toEqual(first);
    expect(first).toEqual({ text: 'Edited a.md.', isError: false });
    expect(content('a.md')).toBe(after);
    expect(after).toBe(`a ${newText} c`);
  });

  test('whose first attempt died before the file was replaced is made by the second', async () => {
    put('a.md', 'a b c');
    const { idempotencyKey } = aCall();
    const args = { path: 'a.md', oldText: 'b', newText: 'b b2' };
    await using(edit, args, { idempotencyKey });
    put('a.md', 'a b c'); // as if the rename had not come to pass
    expect((await using(edit, args, { idempotencyKey })).text).toBe('Edited a.md.');
    expect(content('a.md')).toBe('a b b2 c');
  });

  test.each(['a b2 b c d', 'a b c d', 'c'])(
    'whose file somebody else made %j before it is tried again is not made twice',
    async (now) => {
      put('a.md', 'a b c');
      const { idempotencyKey } = aCall();
      const args = { path: 'a.md', oldText: 'b', newText: 'b b2' };
      await using(edit, args, { idempotencyKey });
      await using(write, { path: 'a.md', content: now });
      expect(await using(edit, args, { idempotencyKey })).toEqual({
        text: expect.stringContaining('was begun, and the file has changed since'),
        isError: true,
      });
      expect(content('a.md')).toBe(now);
    },
  );

  test('of another call is made although it says the same', async () => {
    put('a.md', 'a');
    const args = { path: 'a.md', oldText: 'a', newText: 'ab' };
    await using(edit, args);
    await using(edit, args);
    expect(content('a.md')).toBe('abb');
  });

  test('at the same time as many others loses none of them', async () => {
    put('a.md', Array.from({ length: 30 }, (_, i) => `<${i}>`).join(''));
    const edits = Array.from({ length: 30 }, (_, i) =>
      using(edit, { path: 'a.md', oldText: `<${i}>`, newText: `${i},` }),
    );
    expect((await Promise.all(edits)).filter((settled) => settled.isError)).toEqual([]);
    expect(content('a.md')).toBe(Array.from({ length: 30 }, (_, i) => `${i},`).join(''));
  });

  test('leaves nothing that is listed', async () => {
    put('a.md', 'a');
    await using(edit, { path: 'a.md', oldText: 'a', newText: 'b' });
    expect((await using(list, {})).text).toBe('a.md (1)');
  });
});
