import { Platform } from "aws-cdk-lib/aws-ecr-assets";
import { ContainerImage } from "aws-cdk-lib/aws-ecs";

/**
 * A service's container image. On an emulator it goes by name: the embedded endpoint's process runtime knows the
 * names, LocalStack needs an image built under it. On AWS it is built from the Dockerfile and pushed by the deployment.
 */
export function serviceImage(service: "consumer" | "producer", emulated: boolean): ContainerImage {
  if (emulated) return ContainerImage.fromRegistry(`evenkeel/${service}`);
  return ContainerImage.fromAsset(".", {
    buildArgs: { SERVICE: service },
    platform: Platform.LINUX_AMD64,
    // .dockerignore says what the build sees; CDK reads it too, so that a change elsewhere makes no new image.
  });
}
