/**
 * CDK's feature flags. They are here instead of in cdk.json, so that the app synthesizes the same with and
 * without the CLI.
 */
export const FEATURE_FLAGS = {
  "@aws-cdk/core:enablePartitionLiterals": true,
  "@aws-cdk/aws-iam:minimizePolicies": true,
  "@aws-cdk/aws-ecs:arnFormatIncludesClusterName": true,
  "@aws-cdk/aws-ecs:disableExplicitDeploymentControllerForCircuitBreaker": true,
  "@aws-cdk/aws-ecs:removeDefaultDeploymentAlarm": true,
};
