import { type Child, type Html, html } from '../html.ts'

export interface Layout {
  readonly title: string
  /** Who is signed in. */
  readonly name?: string
  /** What went wrong, or was done, first of all. */
  readonly notice?: { readonly tone: 'bad' | 'good'; readonly text: string }
  readonly content: Child
}

/** The document around whatever is shown. */
export function layout({ title, name, notice, content }: Layout): string {
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>${title}</title>
    <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="/assets/style.css" />
    <script type="module" src="/assets/main.js"></script>
  </head>
  <body>
    <a class="skip" href="#main">Skip to the content</a>
    <header class="bar">
      <p class="brand"><a href="/"><img src="/assets/icon.svg" alt="" width="24" height="24" />Support console</a></p>
      ${name !== undefined && signedIn(name)}
    </header>
    <main id="main" tabindex="-1">
      <h1 class="visually-hidden">${title}</h1>
      ${notice !== undefined && html`<p class="notice" data-tone="${notice.tone}" role="${notice.tone === 'bad' ? 'alert' : 'status'}">${notice.text}</p>`}
      ${content}
    </main>
  </body>
</html>
`.text
}

function signedIn(name: string): Html {
  return html`<p class="who">Signed in as <strong><bdi>${name}</bdi></strong></p>
      <form method="post" action="/sign-out"><button class="quiet" type="submit">Sign out</button></form>`
}
