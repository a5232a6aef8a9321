// Script files: what they may say, and where they are wrong.
import { answersAt, parseScript } from '../../embedded/scriptedModel/script.js';

const wrong = (text: string): string => {
  try {
    parseScript(text, 'my.yaml');
  } catch (err) {
    return (err as Error).message;
  }
  throw new Error('the script was taken');
};

test.each<[string, string, RegExp]>([
  ['broken YAML', 'name: [', /^my\.yaml: .*line 1/s],
  ['no script at all', '- 1', /^my\.yaml: script: /],
  ['a missing name', 'turns: []', /^my\.yaml: name: /],
  ['a name with spaces', 'name: a b\nturns: []', /^my\.yaml: name: letters, digits/],
  ['an unknown field', 'name: a\nturns: []\nturn: 1', /^my\.yaml: script: .*"turn"/],
  ['a misspelt field of a turn', 'name: a\nturns: [{replies: []}]', /^my\.yaml: turns\.0: .*"replies"/],
  ['a misspelt block', 'name: a\nturns: [{reply: []}, {reply: [{txt: hi}]}]', /turns\.1\.reply\.0: a block is one of/],
  ['a block with a wrong value', 'name: a\nturns: [{reply: [{text: 5}]}]', /turns\.0\.reply\.0\.text: .*string/],
  [
    'a tool with a misspelt input',
    'name: a\nturns: [{reply: [{tool: x, inptu: {}}]}]',
    /turns\.0\.reply\.0: .*"inptu"/,
  ],
  [
    'a condition inside of a case',
    'name: a\nturns: [{cases: [{when: {has: x}}]}]',
    /turns\.0\.cases\.0\.when: .*"has"/,
  ],
  ['a turn inside of a group', 'name: a\nturns: [{turns: [{repl: []}]}]', /turns\.0\.turns\.0: .*"repl"/],
  ['a fault of unknown kind', 'name: a\nturns: [{fault: {kind: boom}}]', /turns\.0\.fault\.kind: /],
  [
    'a broken pattern',
    'name: a\nturns: [{when: {lastUserContains: /(/}}]',
    /turns\.0\.when\.lastUserContains: Invalid reg/,
  ],
  ['broken tool input without a tool', 'name: a\nturns: [{fault: {kind: badJson}}]', /needs a tool in the reply/],
])('%s is an error that names file and place', (_, text, message) => {
  expect(wrong(text)).toMatch(message);
});

test('JSON is a script as well', () => {
  expect(parseScript('{"name": "a", "turns": [{"reply": [{"text": "hi"}]}]}', 'a.json')).toMatchObject({
    name: 'a',
    window: 200_000,
    turns: [{ reply: [{ text: 'hi' }], times: 1 }],
  });
});

test('turns, repeated turns and groups follow each other', () => {
  const script = parseScript(
    `name: a
turns:
  - reply: [{ text: once }]
  - { reply: [{ text: twice }], times: 2 }
  - turns: [{ reply: [{ text: left }] }, { reply: [{ text: right }], times: 2 }]
    times: 2
  - { reply: [{ text: ever }], times: forever }
  - reply: [{ text: never }]`,
    'a',
  );
  const said = (turn: number) => answersAt(script, turn)?.[0]?.reply[0];
  const texts = Array.from({ length: 10 }, (_, i) => (said(i) as { text: string }).text);
  expect(texts).toEqual(['once', 'twice', 'twice', 'left', 'right', 'right', 'left', 'right', 'right', 'ever']);
  expect(said(100_000)).toEqual({ text: 'ever' });
});

test('a script that is over has no answer', () => {
  const script = parseScript('name: a\nturns: [{ reply: [], times: 3 }]', 'a');
  expect(answersAt(script, 2)).toHaveLength(1);
  expect(answersAt(script, 3)).toBeUndefined();
});
