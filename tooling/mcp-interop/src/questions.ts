import type { ElicitRequestFormParams } from '@modelcontextprotocol/server'

type Form = ElicitRequestFormParams['requestedSchema']

/** A form with one field of text. */
export const asksFor = (field: string): Form => ({
  type: 'object',
  properties: { [field]: { type: 'string' } },
  required: [field],
})

/** What the suite wants a user to be asked by servers of 2025-11-25, by the name of the tool that asks. */
export const forms: Readonly<Record<string, Form>> = {
  test_elicitation: {
    type: 'object',
    properties: {
      username: { type: 'string', description: "User's response" },
      email: { type: 'string', description: "User's email address" },
    },
    required: ['username', 'email'],
  },
  test_elicitation_sep1034_defaults: {
    type: 'object',
    properties: {
      name: { type: 'string', default: 'John Doe' },
      age: { type: 'integer', default: 30 },
      score: { type: 'number', default: 95.5 },
      status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
      verified: { type: 'boolean', default: true },
    },
  },
  test_elicitation_sep1330_enums: {
    type: 'object',
    properties: {
      untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
      titledSingle: { type: 'string', oneOf: titled('value', ['First Option', 'Second Option', 'Third Option']) },
      legacyEnum: {
        type: 'string',
        enum: ['opt1', 'opt2', 'opt3'],
        enumNames: ['Option One', 'Option Two', 'Option Three'],
      },
      untitledMulti: { type: 'array', items: { type: 'string', enum: ['option1', 'option2', 'option3'] } },
      titledMulti: {
        type: 'array',
        items: { anyOf: titled('value', ['First Choice', 'Second Choice', 'Third Choice']) },
      },
    },
  },
}

function titled(stem: string, titles: readonly string[]): { const: string; title: string }[] {
  return titles.map((title, index) => ({ const: `${stem}${index + 1}`, title }))
}

/** A sampling request with one message. */
export const asksModel = (text: string, maxTokens = 100) => ({
  messages: [{ role: 'user' as const, content: { type: 'text' as const, text } }],
  maxTokens,
})
