/** Markup that is what it says: everything in it was escaped when it was made. */
export class Html {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

export type Child = Html | string | number | false | undefined | readonly Child[]

/** A template of markup; what is put into it is text, unless it is markup itself. Attribute values belong in quotes. */
export function html(strings: TemplateStringsArray, ...children: readonly Child[]): Html {
  return new Html(strings.reduce((made, string, index) => made + write(children[index - 1]) + string))
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function write(child: Child): string {
  if (child === undefined || child === false) return ''
  if (child instanceof Html) return child.text
  if (typeof child === 'object') return child.map(write).join('')
  return String(child).replace(/[&<>"']/g, (character) => entities[character] ?? '')
}
