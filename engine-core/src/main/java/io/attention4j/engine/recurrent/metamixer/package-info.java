/**
 * MetaMixer (Yun et al. 2024, arXiv 2406.02021): attention's skeleton of query, key and value with
 * convolutions as its products and GELU for softmax, over images in float64. {@link
 * io.attention4j.engine.recurrent.layer.MetaMixerLayer} is the causal form over sequences.
 */
package io.attention4j.engine.recurrent.metamixer;
