/**
 * Text to token ids and back.
 *
 * <p>{@link io.attention4j.llm.tokenizer.Tokenizer} reads the vocabulary of a GGUF or of a Hugging
 * Face folder and encodes with the Hugging Face library that DJL ships as a native binding; {@link
 * io.attention4j.llm.tokenizer.IncrementalDecoder} turns ids into text as they are generated.
 */
package io.attention4j.llm.tokenizer;
