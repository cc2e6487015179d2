package io.attention4j.cli;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The root command: lists the subcommands. */
@Command(
    name = "attention4j",
    description = "Decodes language models in this JVM, with an attention of your choice.",
    mixinStandardHelpOptions = true,
    versionProvider = Main.Version.class,
    subcommands = {
      GenerateCommand.class,
      InspectCommand.class,
      TokenizeCommand.class,
      QuantizeCommand.class,
      DoctorCommand.class,
      ConformanceCommand.class
    })
public final class Main implements Runnable {
  @Spec private CommandSpec spec;

  @Option(
      names = "--debug",
      scope = ScopeType.INHERIT,
      description = "Print the stack trace of an error.")
  private boolean debug;

  /** Runs the command and ends the JVM with its status: 0 done, 1 bad data, 2 wrong usage. */
  public static void main(String[] args) {
    StandardError.attach();
    System.exit(commandLine().execute(args));
  }

  static CommandLine commandLine() {
    Main main = new Main();
    CommandLine line = new CommandLine(main);
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setExecutionExceptionHandler(
        (exception, command, parsed) -> Errors.report(exception, command, main.debug));
    line.setParameterExceptionHandler((exception, args) -> Errors.reportUsage(exception));
    return line;
  }

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(), "no command; one of " + spec.subcommands().keySet());
  }

  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      String version = Main.class.getPackage().getImplementationVersion();
      return new String[] {"attention4j " + (version == null ? "(not packaged)" : version)};
    }
  }
}
