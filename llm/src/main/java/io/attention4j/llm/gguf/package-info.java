/** GGUF files: reader, writer and quantizer. */
package io.attention4j.llm.gguf;
