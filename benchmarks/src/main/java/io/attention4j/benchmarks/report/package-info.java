/** Tables and plots, as text, Markdown, CSV and PNG. */
package io.attention4j.benchmarks.report;
