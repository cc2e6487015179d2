/** From a path to settings, weights and a tokenizer. Not exported. */
package io.attention4j.llm.loading;
