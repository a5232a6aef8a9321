// Letters that look like Latin ones, so that a name written with them is recognised. Only what people cannot tell apart
// at a glance: Cyrillic, Greek, Armenian, and a few signs. Full-width and mathematical letters fall to NFKD already.
const PAIRS =
  'аa вb еe кk мm нh оo рp сc тt уy хx ѕs іi јj ԁd ԛq ԝw ӏl һh ԍg ѵv ү y ҽe ոn սu օo հh ցg ' +
  'αa βb εe ηn ιi κk νv οo ρp τt υu χx ωw γy ϲc ϳj ' +
  'ɑa ɡg ɩi ıi ǀl ʟl ᴄc ᴏo ᴠv ᴡw ᴢz ꓲl ⅼl ℓl ʜh ɴn ʀr ѡw ðd øo łl đd ħh ŧt æa ßs';

const table = new Map<string, string>();
for (const pair of PAIRS.split(' ')) {
  const [odd, plain] = pair;
  if (odd !== undefined && plain !== undefined) table.set(odd, plain);
}

/** Of lower-case text. */
export function plainLetters(text: string): string {
  let plain = '';
  for (const char of text) plain += table.get(char) ?? char;
  return plain;
}
