package io.attention4j.chat.template;

/**
 * What a missing variable, key or index evaluates to: empty text, false, empty to iterate; an error
 * in arithmetic and when looked into.
 *
 * @param reason the error, when it becomes one
 */
record Undefined(String reason) {}
