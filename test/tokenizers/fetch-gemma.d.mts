export function fetchGemma(): string
