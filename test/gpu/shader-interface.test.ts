import { describe, expect, it } from 'vitest'
import { readInterface, withoutComments } from '../../src/gpu/shader-interface.ts'

const params = (body: string) => readInterface('s', `struct Params {${body}\n}`).params
const names = (body: string) => params(body).map(({ name, type }) => `${name} ${type}`)

describe('Params', () => {
  it.each([
    [' rows: u32, eps: f32 ', ['rows u32', 'eps f32']],
    ['rows:u32,eps : f32,', ['rows u32', 'eps f32']],
    ['\n  rows: u32, // of x, as many as\n  eps: f32, // {see: f32}, }\n', ['rows u32', 'eps f32']],
    ['rows: u32, /* old: f32, } /* nested: u32, */ left out */ eps: f32', ['rows u32', 'eps f32']],
    ['rows: u32, // /* opens nothing: f32\n eps: f32 // */', ['rows u32', 'eps f32']],
  ])('are read past comments: %s', (body, expected) => {
    expect(names(body)).toEqual(expected)
  })

  it.each([
    ['rows: vec2u', '"rows: vec2u"'],
    ['rows: u32, flag: i32', '"flag: i32"'],
    ['@align(16) rows: u32', '"@align(16) rows: u32"'],
    ['rows: u32 eps: f32', '"rows: u32 eps: f32"'],
    ['rows: u32,, eps: f32', '""'],
    ['', '""'],
  ])('are an error where a field is not understood: %s', (body, found) => {
    expect(() => params(body)).toThrow(`shader s: a field of Params is not understood: ${found}`)
  })

  it.each([
    '',
    '// struct Params { rows: u32 }',
    'struct Params { a: u32 } struct Params { b: u32 }',
  ])('are an error where they are not declared once: %s', (code) =>
    expect(() => readInterface('s', code)).toThrow('expected one'),
  )
})

describe('bindings', () => {
  const start = 'struct Params { n: u32 }\n@group(0) @binding(0) var<uniform> params: Params;\n'
  const read = (code: string) => readInterface('s', start + code).bindings

  it('are read by number, past comments', () => {
    const code = `@group(0) @binding(2) var<storage, read_write> y: array<f32>; // var<storage> old: u32;
      /* @group(0) @binding(3) var<storage, read> z: array<f32>; */
      @group(0) @binding(1) var <storage,read> x : array<vec4<f32>>;
      var<workgroup> part: array<f32, 4>;`
    expect(read(code)).toEqual([
      { name: 'x', written: false },
      { name: 'y', written: true },
    ])
  })

  it.each([
    ['@group(1) @binding(1) var<storage, read> x: array<u32>;', 'a buffer'],
    ['@binding(1) @group(0) var<storage, read> x: array<u32>;', 'a buffer'],
    ['@group(0) @binding(1) var<storage> x: array<u32>;', 'a buffer'],
    ['@group(0) @binding(0) var<storage, read> x: array<u32>;', 'binding 0 is taken'],
    ['@group(0) @binding(2) var<storage, read> x: array<u32>;', 'there is no binding 1'],
    [
      '@group(0) @binding(1) var<storage, read> x: u32; @group(0) @binding(1) var<storage, read> y: u32;',
      'binding 1 is taken',
    ],
  ])('are an error where they are not understood: %s', (code, message) => {
    expect(() => read(code)).toThrow(message)
  })
})

it.each([
  ['a // b\nc', 'a  \nc'],
  ['a /* b */ c', 'a   c'],
  ['a /* b // */ c', 'a   c'],
  ['a /* /* b */ c */ d', 'a   d'],
  ['a / b * c', 'a / b * c'],
  ['a /* b', 'a  '],
])('comments are left out: %s', (code, bare) => {
  expect(withoutComments(code)).toBe(bare)
})
