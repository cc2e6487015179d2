/** What model file formats have in common: weights by name, and the error for bad files. */
package io.attention4j.llm.format;
