/**
 * Contract tests that every kernel provider runs. A provider's test module extends the classes
 * named {@code ...Contract} and returns its {@link io.attention4j.engine.spi.KernelProvider}; each
 * case compares its kernel with the float64 provider {@code reference} on the same already rounded
 * inputs.
 *
 * <p>A provider that refuses some cases lists their names, one per line, in the test resource
 * {@code /refused-ID.txt} ({@code #} starts a comment). A refusal that is not listed fails, and so
 * does a listed case that is taken, a listed name without a case, and a run of zero cases. {@code
 * -Dattention4j.case=TEXT} runs only the cases whose name contains the text.
 */
package io.attention4j.testkit;
