/**
 * Architectures as data: each file here says how one family of models reads its settings and names
 * its weights. All of them run through one decoder; {@link
 * io.attention4j.llm.architecture.ModelConfig} is what it needs to know.
 */
package io.attention4j.llm.architecture;
