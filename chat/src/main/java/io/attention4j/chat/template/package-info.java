/**
 * Jinja2 as chat templates use it, on jinjava. Jinjava nests and dispatches the tags and bounds the
 * output; the lexer with Jinja2's whitespace rules, the expression language and Python's methods,
 * filters and tests are here, because jinjava's differ silently (docs/chat.md lists how).
 *
 * <p>Values are {@link java.lang.String}, {@link java.lang.Boolean}, {@link java.lang.Long}, {@link
 * java.lang.Double}, lists, maps with string keys, and the few types of this package. Nothing
 * reaches another Java object: no expression uses reflection.
 */
package io.attention4j.chat.template;
