// The last questions, newest first; they are kept in this browser only.
const KEY = 'sql-questions';
const MOST = 20;

export function lastQuestions(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(kept) ? kept.filter((one): one is string => typeof one === 'string').slice(0, MOST) : [];
  } catch {
    return [];
  }
}

export function keepQuestion(sql: string): string[] {
  const questions = [sql, ...lastQuestions().filter((one) => one !== sql)].slice(0, MOST);
  try {
    localStorage.setItem(KEY, JSON.stringify(questions));
  } catch {
    // A full or forbidden store keeps nothing.
  }
  return questions;
}

export function forgetQuestions(): string[] {
  localStorage.removeItem(KEY);
  return [];
}
