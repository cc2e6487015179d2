/**
 * The kernel SPI: how to compute on one machine. A {@link KernelProvider} (found by ServiceLoader)
 * opens a {@link Device}, which offers kernels by kind. Kernels are stateless, know no model and
 * refuse what they do not support with a reason.
 */
package io.attention4j.engine.spi;
