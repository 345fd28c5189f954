export function fetchTokenizer(which: 'gemma' | 'qwen3'): string
