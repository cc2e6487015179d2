/**
 * From a row of logits to a token: sampling options, the sampler, log-probabilities and stop
 * strings. Nothing here knows a model or a tokenizer; a row is a {@code float[]} with one logit per
 * vocabulary entry.
 */
package io.attention4j.llm.sampling;
