/** Model files, tokenizers, architectures and generation. */
package io.attention4j.llm;
